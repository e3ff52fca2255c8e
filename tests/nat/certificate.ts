/** Certificates for the beacon of the lab. */

import { run } from "./shell.ts";

/** Where the certificate of a server, its key, and that of the authority which signed it lie: PEM files. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly authority: string;
}

/** Makes an authority, and lets it sign a certificate for an IP address; both are valid for a day. */
export async function makeCertificate(folder: string, address: string): Promise<Certificate> {
  const [certificate, key] = [`${folder}/beacon.pem`, `${folder}/beacon.key`];
  const [authority, authorityKey] = [`${folder}/authority.pem`, `${folder}/authority.key`];
  await run([...NEW, "-subj", "/CN=authority", "-keyout", authorityKey, "-out", authority]);
  await run([
    ...[...NEW, "-subj", "/CN=beacon", "-keyout", key, "-out", certificate],
    ...["-CA", authority, "-CAkey", authorityKey],
    ...["-addext", "basicConstraints=critical,CA:FALSE", "-addext", `subjectAltName=IP:${address}`],
  ]);
  return { certificate, key, authority };
}

const NEW = [
  ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
  ...["-days", "1"],
];
