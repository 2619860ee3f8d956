// A real server of datagrams, run in a namespace: sends each back to where it came from.
//
//   node udpecho.js ADDRESS PORT
//
// A datagram that begins with "later" is answered when its sender may have gone.

import { createSocket } from "node:dgram";
import { endWithParent } from "../../host/lab/process.js";

const LATER_MS = 300;
const [, , address = "0.0.0.0", port = "0"] = process.argv;

const socket = createSocket("udp4");
socket.on("message", (message, from) => {
  const answer = (): void => socket.send(message, from.port, from.address);
  if (message.subarray(0, 5).toString() === "later") setTimeout(answer, LATER_MS);
  else answer();
});
socket.on("error", () => undefined); // a client that has gone is told by ICMP
endWithParent();
socket.bind(Number(port), address, () => process.stdout.write("ready\n"));
