/** Certificates for 127.0.0.1 and relay.test, made on the spot by an authority of the test's own. */

import { assert } from "../assert.ts";

/** PEM texts. */
export interface Certificates {
  readonly authority: string;
  readonly authorityKey: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes an authority and a certificate, valid for two days. Needs the `openssl` program. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await Deno.makeTempDir();
  try {
    const names = "subjectAltName=DNS:relay.test,DNS:localhost,IP:127.0.0.1";
    await Deno.writeTextFile(`${folder}/names`, `${names}\nbasicConstraints=CA:FALSE\n`);
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await openssl(folder, [
      "req",
      "-x509",
      ...key,
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
      "-days",
      "2",
      "-subj",
      "/CN=test",
    ]);
    await openssl(folder, [
      "req",
      ...key,
      "-keyout",
      "key.pem",
      "-out",
      "csr.pem",
      "-subj",
      "/CN=relay.test",
    ]);
    await openssl(folder, [
      ...["x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
      ...["-days", "2", "-extfile", "names", "-out", "cert.pem"],
    ]);
    const read = (name: string) => Deno.readTextFile(`${folder}/${name}`);
    return {
      authority: await read("ca.pem"),
      authorityKey: await read("ca.key"),
      cert: await read("cert.pem"),
      key: await read("key.pem"),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function openssl(folder: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: [...args], cwd: folder }).output();
  assert(success, new TextDecoder().decode(stderr));
}
