/**
 * A network between a page and its bridge: an address that stays while bridges come and go behind it,
 * and that can be torn as networks are. TLS passes through.
 */
import net from 'node:net';

export class Relay {
    /** @param {import('./bridge.mjs').Bridge} bridge */
    constructor(bridge) {
        this.bridge = bridge;
        /** @type {Map<net.Socket, net.Socket>} of the page -> of the bridge */
        this.pairs = new Map();
        /** @type {Set<net.Socket>} of the bridge, whose page is gone without a word */
        this.orphans = new Set();
        this.accepted = 0;
        this.isDown = false;
        this.server = net.createServer((page) => this.#join(page));
    }

    /** @param {any} t @param {import('./bridge.mjs').Bridge} bridge */
    static async start(t, bridge) {
        const relay = new Relay(bridge);
        await new Promise((resolve) => relay.server.listen(0, '127.0.0.1', () => resolve(undefined)));
        t.after(() => relay.end());
        return relay;
    }

    get target() {
        const address = /** @type {net.AddressInfo} */ (this.server.address());
        return { ...this.bridge.target, port: address.port };
    }

    /** @param {net.Socket} page */
    #join(page) {
        this.accepted++;
        if (this.isDown) {
            page.on('error', () => {}).destroy();
            return;
        }
        const bridge = net.connect({ host: '127.0.0.1', port: this.bridge.port, noDelay: true });
        page.setNoDelay(true);
        this.pairs.set(page, bridge);
        page.on('error', () => {}).on('close', () => {
            this.pairs.delete(page);
            if (!this.orphans.has(bridge)) bridge.destroy();
        });
        bridge.on('error', () => {}).on('close', () => {
            this.orphans.delete(bridge);
            page.destroy();
        });
        page.pipe(bridge);
        bridge.pipe(page);
    }

    /** No way through from now on; both sides learn of it. */
    down() {
        this.isDown = true;
        this.cut();
    }

    up() {
        this.isDown = false;
    }

    /** What there is now is torn, on both sides. A polling client may have nothing that could be. */
    cut() {
        for (const [page, bridge] of [...this.pairs]) {
            page.destroy();
            bridge.destroy();
        }
    }

    /** No way through for the page; to the bridge all that there is seems as it was. */
    sever() {
        this.isDown = true;
        for (const [page, bridge] of [...this.pairs]) {
            this.orphans.add(bridge);
            page.unpipe(bridge);
            bridge.unpipe(page);
            bridge.resume(); // what it still sends gets lost, as on a radio that is gone
            page.destroy();
        }
    }

    end() {
        this.server.close();
        this.cut();
        for (const bridge of this.orphans) bridge.destroy();
    }
}
