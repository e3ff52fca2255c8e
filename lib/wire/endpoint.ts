/**
 * UDP/TCP endpoints: an IP address in text form and a port.
 *
 * The text is canonical, so two endpoints are equal when their fields are: IPv4 dotted, IPv6 as of RFC 5952
 * without brackets or zone, IPv4-mapped IPv6 addresses as IPv4.
 */

/** Where a datagram comes from or goes to. `host` is a canonical IP address, `port` is 0 to 65535. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}
