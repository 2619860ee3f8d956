// talker.js HOST PORT: one connection that asks again and again over HTTP, and writes a dot for each answer.
// It ends with status 1 when the connection does.

import { connect } from "node:net";

const AGAIN_MS = 200;
const [host = "", port = ""] = process.argv.slice(2);
const socket = connect({ host, port: Number(port) });
const ask = (): void => void socket.write("GET / HTTP/1.1\r\nHost: here\r\nConnection: keep-alive\r\n\r\n");
const lost = (): never => process.exit(1);

socket.on("connect", () => {
  ask();
  setInterval(ask, AGAIN_MS);
});
socket.on("data", (data) => {
  if (data.includes("HTTP/1.1 200")) process.stdout.write(".");
});
socket.on("error", lost);
socket.on("close", lost);
