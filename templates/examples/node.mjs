// npm install ws, save this as hello.mjs, run: node hello.mjs
import { randomUUID } from "node:crypto";
import WebSocket from "ws";

const url = "{{ws}}/v1/connect";
const token = "{{token}}"; // speaks for alice, for an hour

const socket = new WebSocket(url, "tokenim.v1.json");
const waiting = new Map();
let last = 0;
const call = (command, fields) => new Promise((resolve, reject) => {
  waiting.set(++last, { resolve, reject });
  socket.send(JSON.stringify({ id: last, [command]: fields }));
});

socket.on("message", (data) => {
  const { id, ok, error, push } = JSON.parse(data);
  if (push?.type === "ping") socket.send('{"pong":{}}');
  if (push?.type === "message") hear(push);
  if (error) waiting.get(id)?.reject(new Error(`${error.code}: ${error.message}`));
  if (ok) waiting.get(id)?.resolve(ok);
  waiting.delete(id);
});
socket.on("close", (code, reason) => console.log("closed", code, String(reason)));
socket.on("error", (error) => console.error(error.message));

function hear({ conversation, seq, sender, body }) {
  console.log(`${sender}: ${body.text}`);
  // Say what you have: where 1,000 messages are not confirmed, the server waits.
  call("received", { conversation, seq }).catch((error) => console.error(error.message));
}

async function hello() {
  await call("connect", { token, sdk: "node" });
  await call("conversation.create", { kind: "group", id: "quickstart", members: ["bob"] });
  const message = { conversation: "quickstart", client_msg_id: randomUUID(), kind: "text", body: { text: "Hello from Node" } };
  const ack = await call("send", message);
  console.log("stored as seq", ack.seq);
}
socket.on("open", () => hello().catch((error) => console.error(error.message)));
