// The smallest socket.io server of the comparison: rooms, and messages to the others of a room. Argument: the port.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
io.on("connection", (socket) => {
  socket.on("join", (room, joined) => {
    socket.join(room);
    joined(true);
  });
  socket.on("send", (room, text) => socket.to(room).emit("message", text));
});
http.listen(Number(process.argv[2]), "127.0.0.1");
