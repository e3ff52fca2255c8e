import { addressScope } from "../../../lib/io/address_scope.ts";
import { Epoch, NAT_PMP_EPOCH, PCP_EPOCH } from "../../../lib/io/portmap/epoch.ts";
import { parseGatewayUrl } from "../../../lib/io/portmap/gateway_url.ts";
import { decodeResponse } from "../../../lib/io/portmap/http.ts";
import { decodeAnswer, encodeCall, readDescription } from "../../../lib/io/portmap/igd.ts";
import { decodeNatPmp, encodeNatPmpAddress, encodeNatPmpMap } from "../../../lib/io/portmap/nat_pmp.ts";
import { decodePcp, encodePcpAnnounce, encodePcpMap } from "../../../lib/io/portmap/pcp.ts";
import { decodeSearchAnswer, encodeSearch } from "../../../lib/io/portmap/ssdp.ts";
import { findElements, parseXml } from "../../../lib/io/portmap/xml.ts";
import { decodeUtf8, encodeUtf8, fromHex } from "../../../lib/wire/bytes.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { SeededRandom } from "../../sim/random.ts";

const NONCE = fromHex("00112233 44556677 8899aabb");

const PCP_MAP = fromHex(`
  02 81 00 00  00 00 0e 10  00 01 e2 40  00000000 00000000 00000000
  00112233 44556677 8899aabb  11 000000  0fa0 1389
  00000000 00000000 0000ffff cb007105`);
const NAT_PMP_MAP = fromHex("00 81 0000 0001e240 0fa0 1389 00000e10");
const SEARCH_ANSWER = encodeUtf8(
  "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nst: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n" +
    "LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n\r\n",
);

Deno.test("portmap: PCP requests have the bytes of RFC 6887", () => {
  const internal = { host: "192.168.1.7", port: 4000 };
  assertEquals(
    encodePcpMap({
      nonce: NONCE,
      internal,
      external: { host: "203.0.113.5", port: 5001 },
      lifetimeSecs: 3600,
    }),
    fromHex(`
      02 01 0000 00000e10  00000000 00000000 0000ffff c0a80107
      00112233 44556677 8899aabb  11 000000  0fa0 1389
      00000000 00000000 0000ffff cb007105`),
  );
  const six = { host: "2001:db8::7", port: 4000 };
  assertEquals(
    encodePcpMap({ nonce: NONCE, internal: six, external: undefined, lifetimeSecs: 0 }),
    fromHex(`
      02 01 0000 00000000  20010db8 00000000 00000000 00000007
      00112233 44556677 8899aabb  11 000000  0fa0 0000
      00000000 00000000 00000000 00000000`),
  );
  assertEquals(
    encodePcpAnnounce("192.168.1.7"),
    fromHex("02 00 0000 00000000  00000000 00000000 0000ffff c0a80107"),
  );
  assertThrows(
    () => encodePcpMap({ nonce: NONCE.subarray(1), internal, external: undefined, lifetimeSecs: 1 }),
    RangeError,
  );
  assertThrows(() => encodePcpAnnounce("gateway.home"), RangeError);
});

Deno.test("portmap: PCP responses are read, cut ones are not", () => {
  assertEquals(decodePcp(PCP_MAP), {
    opcode: "map",
    result: 0,
    lifetimeSecs: 3600,
    epochSecs: 123456,
    mapping: { nonce: NONCE, internalPort: 4000, external: { host: "203.0.113.5", port: 5001 } },
  });
  for (let length = 0; length < PCP_MAP.length; length++) {
    assertEquals(decodePcp(PCP_MAP.subarray(0, length)), "short", `cut at ${length}`);
  }
  const changed = (at: number, value: number) => {
    const data = PCP_MAP.slice();
    data[at] = value;
    return data;
  };
  assertEquals(decodePcp(changed(0, 0)), "version");
  assertEquals(decodePcp(changed(1, 1)), "opcode");
  assertEquals(decodePcp(changed(1, 0x82)), "opcode");
  assertEquals(decodePcp(changed(36, 6)), "protocol");
  assertEquals(decodePcp(new Uint8Array(1104).fill(2, 0, 1)), "long");
  // An error may come without the body.
  const refused = decodePcp(changed(3, 2).subarray(0, 24));
  assert(typeof refused === "object");
  assertEquals([refused.result, refused.mapping], [2, undefined]);
});

Deno.test("portmap: NAT-PMP has the bytes of RFC 6886", () => {
  assertEquals(encodeNatPmpAddress(), fromHex("00 00"));
  assertEquals(
    encodeNatPmpMap({ internalPort: 4000, externalPort: 5001, lifetimeSecs: 3600 }),
    fromHex("00 01 0000 0fa0 1389 00000e10"),
  );
  assertEquals(decodeNatPmp(NAT_PMP_MAP), {
    kind: "map",
    epochSecs: 123456,
    internalPort: 4000,
    externalPort: 5001,
    lifetimeSecs: 3600,
  });
  const address = fromHex("00 80 0000 0001e240 cb007105");
  assertEquals(decodeNatPmp(address), { kind: "address", epochSecs: 123456, host: "203.0.113.5" });
  for (const whole of [NAT_PMP_MAP, address]) {
    for (let length = 0; length < whole.length; length++) {
      assertEquals(decodeNatPmp(whole.subarray(0, length)), "short", `cut at ${length}`);
    }
  }
  const refused = { kind: "error", about: "map", result: 2, epochSecs: 9 } as const;
  assertEquals(decodeNatPmp(fromHex("00 81 0002 00000009")), refused);
  assertEquals(decodeNatPmp(fromHex("02 81 0002 00000009")), "version");
  assertEquals(decodeNatPmp(fromHex("00 01 0000 00000009")), "opcode");
  assertThrows(() => encodeNatPmpMap({ internalPort: 65_536, externalPort: 0, lifetimeSecs: 0 }), RangeError);
});

Deno.test("portmap: only the gateway itself is believed in an answer to a search", () => {
  const url = decodeSearchAnswer(SEARCH_ANSWER, "192.168.1.1");
  assert(url instanceof URL);
  assertEquals(url.href, "http://192.168.1.1:5000/rootDesc.xml");
  assertEquals(decodeSearchAnswer(SEARCH_ANSWER, "192.168.1.2"), "url");
  const text = decodeUtf8(SEARCH_ANSWER);
  const changed = (from: string, to: string) =>
    decodeSearchAnswer(encodeUtf8(text.replace(from, to)), "192.168.1.1");
  assertEquals(changed("200 OK", "404 Not Found"), "status");
  assertEquals(changed("InternetGatewayDevice", "MediaServer"), "target");
  assertEquals(changed("CACHE-CONTROL: ", ""), "malformed");
  for (
    const location of [
      "https://192.168.1.1/",
      "http://192.168.1.1@192.168.1.9/",
      "http://192.168.1.10/",
      "http://router.example/",
      "file:///etc/passwd",
      "http://192.168.1.1:0/",
      `http://192.168.1.1/${"a".repeat(1100)}`,
      "",
    ]
  ) {
    assertEquals(changed("http://192.168.1.1:5000/rootDesc.xml", location), "url", location);
  }
  for (let length = 0; length < SEARCH_ANSWER.length - 4; length++) {
    const cut = decodeSearchAnswer(SEARCH_ANSWER.subarray(0, length), "192.168.1.1");
    assert(typeof cut === "string" || text.includes(cut.pathname), `cut at ${length}`);
  }
  const search = decodeUtf8(encodeSearch("urn:x"));
  assert(search.startsWith("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"));
  assert(search.endsWith("ST: urn:x\r\n\r\n"));
});

Deno.test("portmap: relative URLs are resolved, but never away from the gateway", () => {
  const base = new URL("http://192.168.1.1:5000/desc/root.xml");
  const gateway = "192.168.1.1";
  assertEquals(parseGatewayUrl("ctl", { gateway, base })?.href, "http://192.168.1.1:5000/desc/ctl");
  assertEquals(parseGatewayUrl("/ctl?a=b", { gateway, base })?.href, "http://192.168.1.1:5000/ctl?a=b");
  assertEquals(parseGatewayUrl("//192.168.1.9/ctl", { gateway, base }), undefined);
  assertEquals(parseGatewayUrl("http://[fe80::1]/", { gateway: "fe80::1" })?.host, "[fe80::1]");
});

Deno.test("portmap: the XML of routers is read, and what could hurt is refused", () => {
  const root = parseXml(
    '\uFEFF<?xml version="1.0"?>\n<!-- a > b --><a:root x="1>2" y=\'"\'><b> one &amp; <![CDATA[<two>]]> &#x33;&#52; </b>' +
      "<c/><c  /></a:root>\n\0",
  );
  assertEquals(root, {
    name: "root",
    text: "",
    children: [
      { name: "b", text: "one & <two> 34", children: [] },
      { name: "c", text: "", children: [] },
      { name: "c", text: "", children: [] },
    ],
  });
  assertEquals(parseXml('<!DOCTYPE a [<!ENTITY b "bbb">]><a>&b;</a>'), "doctype");
  assertEquals(parseXml("<a>&b;</a>"), "malformed");
  assertEquals(parseXml("<a>&#x110000;</a>"), "malformed");
  assertEquals(parseXml("<a>".repeat(40) + "</a>".repeat(40)), "too-deep");
  assertEquals(parseXml(`<a>${"<b/>".repeat(5000)}</a>`), "too-large");
  assertEquals(parseXml(`<a>${" ".repeat(70_000)}</a>`), "too-large");
  for (
    const bad of [
      "",
      "a",
      "<a>",
      "</a>",
      "<a></b>",
      "<a/><b/>",
      "<a/>x",
      "<a><b></a></b>",
      "<a b=c/>",
      "<a",
      "<!-- <a/>",
      "<a><![CDATA[</a>",
      "<1/>",
    ]
  ) {
    assertEquals(parseXml(bad), "malformed", bad);
  }
});

const DESCRIPTION = `<root><URLBase>http://192.168.1.1:80/x/</URLBase><device><serviceList>
  <service><serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1</serviceType><controlURL>ppp</controlURL></service>
  <service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ip</controlURL></service>
  <service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType><controlURL>http://192.168.1.9/</controlURL></service>
  <service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/l3</controlURL></service>
</serviceList></device></root>`;

Deno.test("portmap: a description gives the services that map ports, at the gateway only, the best first", () => {
  const where = { gateway: "192.168.1.1", location: new URL("http://192.168.1.1:5000/d.xml") };
  const services = readDescription(DESCRIPTION, where);
  assert(typeof services !== "string");
  assertEquals(services.map(({ type, control }) => [type.split(":").slice(-2).join(":"), control.href]), [
    ["WANIPConnection:1", "http://192.168.1.1/ip"],
    ["WANPPPConnection:1", "http://192.168.1.1/x/ppp"],
  ]);
  const elsewhere = readDescription(DESCRIPTION.replace("192.168.1.1:80", "192.168.1.9"), where);
  assert(typeof elsewhere !== "string");
  assertEquals(elsewhere.map(({ control }) => control.href), [
    "http://192.168.1.1:5000/ip",
    "http://192.168.1.1:5000/ppp",
  ]);
  assertEquals(readDescription("<root/>", where), "none");
  assertEquals(readDescription("<html></html>", where), "malformed");
});

Deno.test("portmap: calls are escaped, answers and faults are told apart", () => {
  const call = parseXml(encodeCall("urn:x:1", "Add", { NewText: "<&>", NewPort: 5 }));
  assert(typeof call !== "string");
  assertEquals(findElements(call, "NewText").map(({ text }) => text), ["<&>"]);
  const wrap = (content: string) => `<s:Envelope xmlns:s="x"><s:Body>${content}</s:Body></s:Envelope>`;
  const answer = decodeAnswer(wrap("<u:AddResponse><NewPort>7</NewPort></u:AddResponse>"), "Add");
  assert(answer !== "malformed" && answer.kind === "response");
  assertEquals([...answer.values], [["NewPort", "7"]]);
  const fault = wrap(
    "<s:Fault><detail><UPnPError><errorCode>718</errorCode>" +
      "<errorDescription>\u001b[31mtaken\n</errorDescription></UPnPError></detail></s:Fault>",
  );
  assertEquals(decodeAnswer(fault, "Add"), { kind: "fault", code: 718, text: "[31mtaken" });
  for (const bad of ["", "<a/>", wrap(""), wrap("<u:OtherResponse/>"), fault.replace("718", "x")]) {
    assertEquals(decodeAnswer(bad, "Add"), "malformed", bad);
  }
});

Deno.test("portmap: HTTP responses are read by length, by chunks, or to the end; cut ones are not", () => {
  const read = (text: string) => decodeResponse(encodeUtf8(text));
  assertEquals(read("HTTP/1.0 200 OK\r\nA: b\r\n\r\nabc"), { status: 200, body: "abc" });
  assertEquals(read("HTTP/1.1 500\nContent-Length: 2\n\nabc"), { status: 500, body: "ab" });
  const chunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
  assertEquals(read(chunked), { status: 200, body: "abc0123456789" });
  for (let length = 0; length < chunked.length - 4; length++) {
    assertEquals(read(chunked.slice(0, length)), "malformed", `cut at ${length}`);
  }
  for (
    const bad of [
      "",
      "HTTP/1.1 200 OK\r\n",
      "HTTP/2 200\r\n\r\n",
      "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
      `HTTP/1.1 200 OK\r\nA: ${"b".repeat(5000)}\r\n\r\nabc`,
    ]
  ) {
    assertEquals(read(bad), "malformed", bad);
  }
});

Deno.test("portmap: a counter that falls behind means that the gateway restarted", () => {
  const verdicts = (epoch: Epoch, readings: readonly (readonly [number, number])[]) =>
    readings.map(([at, secs]) => {
      epoch.observe(secs, at * 1000);
      const { lost } = epoch;
      epoch.renewed();
      return lost;
    });
  // At second, counter: in step, a little slow, restarted, in step again, far ahead (another gateway).
  const readings = [[0, 100], [60, 160], [120, 218], [180, 3], [240, 63], [300, 5000]] as const;
  assertEquals(verdicts(new Epoch(PCP_EPOCH), readings), [false, false, false, true, false, true]);
  assertEquals(verdicts(new Epoch(NAT_PMP_EPOCH), readings), [false, false, false, true, false, false]);
  const sticky = new Epoch(PCP_EPOCH);
  for (const [at, secs] of readings.slice(0, 5)) sticky.observe(secs, at * 1000);
  assertEquals(sticky.lost, true);
});

Deno.test("portmap: 100,000 random inputs do no harm to any reader", () => {
  const seed = 6886;
  console.log(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const where = { gateway: "192.168.1.1", location: new URL("http://192.168.1.1/") };
  const documents = [
    DESCRIPTION,
    encodeCall("urn:x", "Add", { A: 1 }),
    '<?xml version="1.0"?><a b="c">&lt;</a>',
  ];
  const seeds = [PCP_MAP, NAT_PMP_MAP, SEARCH_ANSWER, ...documents.map(encodeUtf8)];
  let readable = 0;
  for (let i = 0; i < 100_000; i++) {
    const data = i % 2 === 0
      ? random.bytes(new Uint8Array(random.int(80)))
      : mutated(seeds[random.int(seeds.length)], random);
    const text = decodeUtf8(data);
    const results = [
      decodePcp(data),
      decodeNatPmp(data),
      decodeSearchAnswer(data, "192.168.1.1"),
      decodeResponse(data),
      parseXml(text),
      readDescription(text, where),
      decodeAnswer(text, "Add"),
    ];
    if (results.some((result) => typeof result !== "string")) readable++;
  }
  assert(readable > 1000 && readable < 99_000, `${readable} were readable`);
});

function mutated(source: Uint8Array | undefined, random: SeededRandom): Uint8Array {
  const data = (source ?? new Uint8Array(0)).slice(0, random.chance(0.2) ? random.int(200) : undefined);
  for (let n = random.int(4); n > 0; n--) data[random.int(Math.max(1, data.length))] = random.int(256);
  return data;
}

Deno.test("portmap: the scope of an address is that of RFC 6890", () => {
  const scopes = {
    "8.8.8.8": "public",
    "100.63.255.255": "public",
    "100.64.0.1": "shared",
    "100.128.0.0": "public",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.32.0.1": "public",
    "192.168.0.1": "private",
    "169.254.1.1": "link",
    "127.0.0.1": "loopback",
    "0.0.0.0": "none",
    "224.0.0.1": "none",
    "255.255.255.255": "none",
    "::1": "loopback",
    "::": "none",
    "ff02::1": "none",
    "fe80::1": "link",
    "fd00::1": "private",
    "fec0::1": "private",
    "2001:db8::1": "public",
    "::ffff:10.0.0.1": "private",
    "router.home": "none",
  };
  for (const [host, scope] of Object.entries(scopes)) assertEquals(addressScope(host), scope, host);
});
