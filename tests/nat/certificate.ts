/** A certificate for the beacon of the lab. */

import { run } from "./shell.ts";

/** Where a certificate and its key lie, PEM files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** Makes a certificate for an IP address that signs itself, valid for a day. */
export async function makeCertificate(folder: string, address: string): Promise<Certificate> {
  const [certificate, key] = [`${folder}/beacon.pem`, `${folder}/beacon.key`];
  await run([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-days", "1", "-subj", "/CN=beacon", "-addext", `subjectAltName=IP:${address}`],
    ...["-keyout", key, "-out", certificate],
  ]);
  return { certificate, key };
}
