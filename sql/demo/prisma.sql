-- The same business as Prisma would migrate it: quoted camelCase, uuid keys, enums, @updatedAt written on every save.
-- With the same bait for leaks. It lives in a schema of its own, beside the snake_case one.
\set ON_ERROR_STOP on

BEGIN;

CREATE SCHEMA prisma;
COMMENT ON SCHEMA prisma IS 'Demo business in the style of Prisma';

CREATE TYPE prisma."ClientType" AS ENUM ('PARTICULIER', 'PROFESSIONNEL', 'SYNDIC');
CREATE TYPE prisma."DevisStatus" AS ENUM ('DRAFT', 'SENT', 'SIGNED', 'REJECTED');
CREATE TYPE prisma."InvoiceStatus" AS ENUM ('DRAFT', 'SENT', 'PAID');
CREATE TYPE prisma."InterventionStatus" AS ENUM ('PLANNED', 'STARTED', 'COMPLETED');

CREATE TABLE prisma."Company" (
    "id" uuid NOT NULL DEFAULT gen_random_uuid(),
    "name" text NOT NULL,
    "iban" text,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Company_pkey" PRIMARY KEY ("id")
);
COMMENT ON TABLE prisma."Company" IS 'model Company';

CREATE TABLE prisma."User" (
    "id" uuid NOT NULL DEFAULT gen_random_uuid(),
    "companyId" uuid NOT NULL,
    "displayName" text NOT NULL,
    "email" text NOT NULL,
    "passwordHash" text NOT NULL,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "User_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "User_companyId_fkey" FOREIGN KEY ("companyId") REFERENCES prisma."Company" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
COMMENT ON TABLE prisma."User" IS 'model User';
CREATE UNIQUE INDEX "User_email_key" ON prisma."User" ("email");

CREATE TABLE prisma."Client" (
    "id" uuid NOT NULL DEFAULT gen_random_uuid(),
    "companyId" uuid NOT NULL,
    "displayName" text NOT NULL,
    "type" prisma."ClientType" NOT NULL DEFAULT 'PARTICULIER',
    "email" text,
    "phoneNumber" text,
    "internalNotes" text,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL,
    CONSTRAINT "Client_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Client_companyId_fkey" FOREIGN KEY ("companyId") REFERENCES prisma."Company" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
COMMENT ON TABLE prisma."Client" IS 'model Client';

CREATE TABLE prisma."Devis" (
    "id" uuid NOT NULL DEFAULT gen_random_uuid(),
    "companyId" uuid NOT NULL,
    "clientId" uuid NOT NULL,
    "status" prisma."DevisStatus" NOT NULL DEFAULT 'DRAFT',
    "totalTtc" numeric(12, 2) NOT NULL,
    "marginPct" double precision NOT NULL DEFAULT 0,
    "rejectionReason" text,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL,
    CONSTRAINT "Devis_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Devis_companyId_fkey" FOREIGN KEY ("companyId") REFERENCES prisma."Company" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Devis_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES prisma."Client" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
COMMENT ON TABLE prisma."Devis" IS 'model Devis';

CREATE TABLE prisma."Invoice" (
    "id" uuid NOT NULL DEFAULT gen_random_uuid(),
    "companyId" uuid NOT NULL,
    "clientId" uuid NOT NULL,
    "status" prisma."InvoiceStatus" NOT NULL DEFAULT 'DRAFT',
    "totalTtc" numeric(12, 2) NOT NULL,
    "iban" text,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL,
    CONSTRAINT "Invoice_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Invoice_companyId_fkey" FOREIGN KEY ("companyId") REFERENCES prisma."Company" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Invoice_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES prisma."Client" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
COMMENT ON TABLE prisma."Invoice" IS 'model Invoice';

CREATE TABLE prisma."Intervention" (
    "id" uuid NOT NULL DEFAULT gen_random_uuid(),
    "companyId" uuid NOT NULL,
    "clientId" uuid NOT NULL,
    "assigneeId" uuid,
    "status" prisma."InterventionStatus" NOT NULL DEFAULT 'PLANNED',
    "address" text NOT NULL,
    "doorCode" text,
    "durationMinutes" integer,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL,
    CONSTRAINT "Intervention_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Intervention_companyId_fkey" FOREIGN KEY ("companyId") REFERENCES prisma."Company" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Intervention_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES prisma."Client" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Intervention_assigneeId_fkey" FOREIGN KEY ("assigneeId") REFERENCES prisma."User" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);
COMMENT ON TABLE prisma."Intervention" IS 'model Intervention';

CREATE TABLE prisma."Conversation" (
    "id" uuid NOT NULL DEFAULT gen_random_uuid(),
    "companyId" uuid NOT NULL,
    "clientId" uuid NOT NULL,
    CONSTRAINT "Conversation_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Conversation_companyId_fkey" FOREIGN KEY ("companyId") REFERENCES prisma."Company" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Conversation_clientId_fkey" FOREIGN KEY ("clientId") REFERENCES prisma."Client" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
COMMENT ON TABLE prisma."Conversation" IS 'model Conversation';

-- No company here: it is the conversation's.
CREATE TABLE prisma."Message" (
    "id" bigserial NOT NULL,
    "conversationId" uuid NOT NULL,
    "fromClient" boolean NOT NULL,
    "body" text NOT NULL,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Message_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Message_conversationId_fkey" FOREIGN KEY ("conversationId") REFERENCES prisma."Conversation" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);
COMMENT ON TABLE prisma."Message" IS 'model Message';

-- Data. Keys say what they are: company in the first group, kind in the second, number in the last.
SET LOCAL vigie.mute = on;

INSERT INTO prisma."Company" ("id", "name", "iban")
SELECT format('%s-0000-4000-8000-000000000001', lpad(c::text, 8, '0'))::uuid, n.name, 'FR7630001007941234567890185'
  FROM unnest(ARRAY['Climatisation Aubrac', 'Ascenseurs Dupleix']) WITH ORDINALITY AS n(name, c);

INSERT INTO prisma."User" ("id", "companyId", "displayName", "email", "passwordHash")
SELECT format('%s-0001-4000-8000-%s', left(co."id"::text, 8), lpad(u::text, 12, '0'))::uuid, co."id",
       (ARRAY['Léa Vasseur', 'Omar Saïdi', 'Claire Pons'])[u], format('appat%s@%s.example', u, left(co."id"::text, 8)), '$argon2id$bait'
  FROM prisma."Company" co CROSS JOIN generate_series(1, 3) AS u;

INSERT INTO prisma."Client" ("id", "companyId", "displayName", "type", "email", "phoneNumber", "internalNotes", "updatedAt")
SELECT format('%s-0002-4000-8000-%s', left(co."id"::text, 8), lpad(i::text, 12, '0'))::uuid, co."id",
       (ARRAY['Hôtel du Lac', 'Mme Perrin', 'Résidence Les Pins', 'M. Jaouen', 'Cabinet Roche'])[1 + i % 5] || ' ' || i,
       (ARRAY['PARTICULIER', 'PROFESSIONNEL', 'SYNDIC'])[1 + i % 3]::prisma."ClientType", format('bait%s@example.fr', i), '+33 7 00', 'Appât', '2026-01-01'
  FROM prisma."Company" co CROSS JOIN generate_series(1, 30) AS i;

INSERT INTO prisma."Devis" ("id", "companyId", "clientId", "status", "totalTtc", "marginPct", "updatedAt")
SELECT format('%s-0003-4000-8000-%s', left(cl."id"::text, 8), right(cl."id"::text, 12))::uuid, cl."companyId", cl."id", 'SENT', 500 + n * 10, 18.5, '2026-02-01'
  FROM (SELECT c.*, row_number() OVER (ORDER BY c."id") AS n FROM prisma."Client" c) AS cl;

INSERT INTO prisma."Invoice" ("id", "companyId", "clientId", "status", "totalTtc", "iban", "updatedAt")
SELECT format('%s-0004-4000-8000-%s', left(d."id"::text, 8), right(d."id"::text, 12))::uuid, d."companyId", d."clientId", 'SENT', d."totalTtc",
       'FR7630001007941234567890185', '2026-02-15'
  FROM prisma."Devis" d;

INSERT INTO prisma."Intervention" ("id", "companyId", "clientId", "assigneeId", "address", "doorCode", "updatedAt")
SELECT format('%s-0005-4000-8000-%s', left(d."id"::text, 8), right(d."id"::text, 12))::uuid, d."companyId", d."clientId",
       format('%s-0001-4000-8000-000000000002', left(d."id"::text, 8))::uuid, '12 rue de la Gare, 12100 Millau', '4471B', '2026-03-01'
  FROM prisma."Devis" d;

INSERT INTO prisma."Conversation" ("id", "companyId", "clientId")
SELECT format('%s-0006-4000-8000-%s', left(c."id"::text, 8), right(c."id"::text, 12))::uuid, c."companyId", c."id" FROM prisma."Client" c;

INSERT INTO prisma."Message" ("conversationId", "fromClient", "body")
SELECT c."id", true, 'Appât : le code de la porte est 4471B' FROM prisma."Conversation" c;

COMMIT;
