// npm create vite@latest chat -- --template react
// Save this as chat/src/App.jsx, run in the folder chat: npm install && npm run dev
import { useEffect, useRef, useState } from "react";

const url = "{{ws}}/v1/connect";
const token = "{{token}}"; // speaks for alice, for an hour

/** A connection for as long as the component is there: what was said so far, and a function to say something. */
function useChat() {
  const [lines, setLines] = useState([]);
  const send = useRef();

  useEffect(() => {
    const socket = new WebSocket(url, "tokenim.v1.json");
    const log = (line) => setLines((lines) => [...lines, line]);
    const waiting = new Map();
    let last = 0;
    const call = (command, fields) => new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      socket.send(JSON.stringify({ id: last, [command]: fields }));
    });

    socket.onmessage = ({ data }) => {
      const { id, ok, error, push } = JSON.parse(data);
      if (push?.type === "ping") socket.send('{"pong":{}}');
      if (push?.type === "message") hear(push);
      if (error) waiting.get(id)?.reject(new Error(`${error.code}: ${error.message}`));
      if (ok) waiting.get(id)?.resolve(ok);
      waiting.delete(id);
    };
    socket.onclose = ({ code, reason }) => log(`closed: ${code} ${reason}`);
    socket.onopen = () => hello().catch((error) => log(error.message));

    async function hello() {
      await call("connect", { token, sdk: "react" });
      await call("conversation.create", { kind: "group", id: "quickstart", members: ["bob"] });
      log("connected as alice");
      await say("Hello from React");
    }
    function hear({ conversation, seq, sender, body }) {
      log(`${sender}: ${body.text}`);
      // Say what you have: where 1,000 messages are not confirmed, the server waits.
      call("received", { conversation, seq }).catch((error) => log(error.message));
    }
    async function say(text) {
      const ack = await call("send", { conversation: "quickstart", client_msg_id: crypto.randomUUID(), kind: "text", body: { text } });
      log(`alice: ${text} (stored as seq ${ack.seq})`);
    }
    send.current = (text) => say(text).catch((error) => log(error.message));
    return () => {
      socket.onclose = null;
      socket.close();
    };
  }, []);

  return [lines, (text) => send.current(text)];
}

export default function App() {
  const [lines, send] = useChat();
  const submit = (event) => {
    event.preventDefault();
    send(new FormData(event.target).get("text"));
    event.target.reset();
  };
  return (
    <>
      <form onSubmit={submit}><input name="text" placeholder="Say something" autoFocus /> <button>Send</button></form>
      <ol>{lines.map((line, index) => <li key={index}>{line}</li>)}</ol>
    </>
  );
}
