// The codes of a second factor (RFC 6238): SHA-1, six digits, 30 seconds.
import { createHmac } from "node:crypto";

const STEP_S = 30;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The authenticator app of a person: each code once, the next one at most one step early. */
export class Authenticator {
  last = 0;

  constructor(seed) {
    const bits = [...seed.replaceAll(/\s/g, "")].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, "0")).join("");
    this.key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  }

  code() {
    this.last = Math.max(this.last + 1, Math.floor(Date.now() / 1000 / STEP_S));
    const step = Buffer.alloc(8);
    step.writeBigUInt64BE(BigInt(this.last));
    const mac = createHmac("sha1", this.key).update(step).digest();
    const at = mac.at(-1) & 15;
    return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
  }
}
