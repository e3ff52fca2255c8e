/**
 * The arrays that `sendmmsg` and `recvmmsg` of Linux work on, laid out as a 64-bit C library has them. All memory is
 * allocated once; its addresses are written once.
 */

/** Words of 32 bits in one `struct mmsghdr`, and where its members begin. */
const HEADER = 16;
const NAME = 0;
const NAME_LENGTH = 2;
const PARTS = 4;
const PART_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const LENGTH = 14;

/** Words of one `struct iovec`: an address and a length. */
const PART = 4;
/** Words for one `struct sockaddr_in6`, the longest address: 28 bytes. */
export const NAME_WORDS = 7;
/** Words for one control message with one integer: `CMSG_SPACE(sizeof(int))` is 24 bytes. */
const CONTROL_WORDS = 6;
/** `CMSG_LEN` of a 16-bit and of a 32-bit integer. */
const CONTROL_UINT16 = 18;
const CONTROL_INT = 20;

/** `SOL_UDP`, `UDP_SEGMENT` and `UDP_GRO` of linux/udp.h. */
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

const WORD = 2 ** 32;

/** `count` message headers with room for an address and a control message each, over one stretch of payload. */
export class Messages {
  /** What the system calls get. */
  readonly headers: Uint32Array<ArrayBuffer>;
  /** Payload of all messages. */
  readonly payload: Uint8Array<ArrayBuffer>;
  /** Socket addresses, {@linkcode NAME_WORDS} words for each message. */
  readonly names: Uint32Array<ArrayBuffer>;
  readonly #parts: Uint32Array<ArrayBuffer>;
  readonly #controls: Uint32Array<ArrayBuffer>;
  readonly #payloadAddress: number;

  constructor(count: number, payloadSize: number) {
    this.headers = new Uint32Array(new ArrayBuffer(count * HEADER * 4));
    this.names = new Uint32Array(new ArrayBuffer(count * NAME_WORDS * 4));
    this.#parts = new Uint32Array(new ArrayBuffer(count * PART * 4));
    this.#controls = new Uint32Array(new ArrayBuffer(count * CONTROL_WORDS * 4));
    this.payload = new Uint8Array(new ArrayBuffer(payloadSize));
    this.#payloadAddress = addressOf(this.payload);
    const names = addressOf(this.names);
    const parts = addressOf(this.#parts);
    const controls = addressOf(this.#controls);
    for (let i = 0; i < count; i++) {
      const at = i * HEADER;
      writeAddress(this.headers, at + NAME, names + i * NAME_WORDS * 4);
      writeAddress(this.headers, at + PARTS, parts + i * PART * 4);
      this.headers[at + PART_COUNT] = 1;
      writeAddress(this.headers, at + CONTROL, controls + i * CONTROL_WORDS * 4);
    }
  }

  /** Where the payload of message `i` lies: `size` bytes from `start`. */
  setPayload(i: number, start: number, size: number): void {
    writeAddress(this.#parts, i * PART, this.#payloadAddress + start);
    this.#parts[i * PART + 2] = size;
  }

  /** Makes message `i` ready to send: the size of its address, and that of its segments, 0 for one datagram. */
  prepareSend(i: number, nameSize: number, segment: number): void {
    this.headers[i * HEADER + NAME_LENGTH] = nameSize;
    this.headers[i * HEADER + CONTROL_LENGTH] = segment === 0 ? 0 : CONTROL_WORDS * 4;
    if (segment === 0) return;
    const control = i * CONTROL_WORDS;
    this.#controls[control] = CONTROL_UINT16;
    this.#controls[control + 1] = 0;
    this.#controls[control + 2] = SOL_UDP;
    this.#controls[control + 3] = UDP_SEGMENT;
    this.#controls[control + 4] = segment;
  }

  /** Makes message `i` ready to receive. */
  prepareReceive(i: number): void {
    this.headers[i * HEADER + NAME_LENGTH] = NAME_WORDS * 4;
    this.headers[i * HEADER + CONTROL_LENGTH] = CONTROL_WORDS * 4;
  }

  /** Bytes received into message `i`. */
  received(i: number): number {
    return this.headers[i * HEADER + LENGTH] ?? 0;
  }

  /** Size of the datagrams joined in message `i`; 0 when it is a single one. */
  segment(i: number): number {
    if ((this.headers[i * HEADER + CONTROL_LENGTH] ?? 0) < CONTROL_INT) return 0;
    const control = i * CONTROL_WORDS;
    const joined = this.#controls[control + 2] === SOL_UDP && this.#controls[control + 3] === UDP_GRO;
    return joined ? this.#controls[control + 4] ?? 0 : 0;
  }
}

/** Addresses fit a number: user space ends at 2^47 to 2^52. */
function addressOf(memory: Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory)));
}

function writeAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address % WORD;
  words[at + 1] = Math.floor(address / WORD);
}
