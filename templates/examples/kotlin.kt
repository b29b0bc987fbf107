// With Kotlin's compiler and a JDK, 17 or newer: save this as chat.kt, run:
// kotlinc chat.kt -include-runtime -d chat.jar && java -jar chat.jar
import java.net.URI
import java.net.http.HttpClient
import java.net.http.WebSocket
import java.util.UUID
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage

const val URL = "{{ws}}/v1/connect"
const val TOKEN = "{{token}}" // speaks for alice, for an hour

val MESSAGE = Regex("""\{"push":\{"type":"message",.*?"seq":(\d+)""")
// Nobody looks at these answers, so they may share an id.
fun received(seq: String) = """{"id": 4, "received": {"conversation": "quickstart", "seq": $seq}}"""

class Chat : WebSocket.Listener {
    // A line is sent when the one before was answered. Your program would write and read JSON with its library.
    private val commands = """
        {"id": 1, "connect": {"token": "$TOKEN", "sdk": "kotlin"}}
        {"id": 2, "conversation.create": {"kind": "group", "id": "quickstart", "members": ["bob"]}}
        {"id": 3, "send": {"conversation": "quickstart", "client_msg_id": "${UUID.randomUUID()}", "kind": "text", "body": {"text": "Hello from Kotlin"}}}
    """.trimIndent().lines().iterator()
    private val message = StringBuilder()
    private var sent: CompletableFuture<*> = CompletableFuture.completedFuture(null)
    val closed = CompletableFuture<Unit>()

    private fun send(socket: WebSocket, text: String) {
        sent = sent.thenCompose { socket.sendText(text, true) } // one after another, as the JDK asks
    }

    private fun receive(socket: WebSocket, text: String) {
        if (text.startsWith("""{"push":{"type":"ping"""")) return send(socket, """{"pong":{}}""")
        println(text)
        // Say what you have: where 1,000 messages are not confirmed, the server waits.
        MESSAGE.matchAt(text, 0)?.let { send(socket, received(it.groupValues[1])) }
        if ("\"ok\":" in text && commands.hasNext()) send(socket, commands.next())
    }

    override fun onOpen(socket: WebSocket) {
        send(socket, commands.next())
        socket.request(1)
    }

    override fun onText(socket: WebSocket, part: CharSequence, isLast: Boolean): CompletionStage<*>? {
        message.append(part)
        if (isLast) {
            receive(socket, message.toString())
            message.clear()
        }
        socket.request(1)
        return null
    }

    override fun onClose(socket: WebSocket, code: Int, reason: String): CompletionStage<*>? {
        println("closed: $code $reason")
        closed.complete(Unit)
        return null
    }

    override fun onError(socket: WebSocket, error: Throwable) {
        closed.completeExceptionally(error)
    }
}

fun main() {
    val chat = Chat()
    HttpClient.newHttpClient().newWebSocketBuilder().subprotocols("tokenim.v1.json").buildAsync(URI.create(URL), chat).join()
    chat.closed.join()
}
