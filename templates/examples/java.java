// Nothing to install beside a JDK, 17 or newer: save this as Chat.java, run: java Chat.java
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.Iterator;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.regex.Pattern;

public class Chat implements WebSocket.Listener {
    static final String URL = "{{ws}}/v1/connect";
    static final String TOKEN = "{{token}}"; // speaks for alice, for an hour

    static final Pattern MESSAGE = Pattern.compile("\\{\"push\":\\{\"type\":\"message\",.*?\"seq\":(\\d+)");
    // Nobody looks at these answers, so they may share an id.
    static final String RECEIVED = "{\"id\": 4, \"received\": {\"conversation\": \"quickstart\", \"seq\": %s}}";

    // A line is sent when the one before was answered. Your program would write and read JSON with its library.
    final Iterator<String> commands = """
        {"id": 1, "connect": {"token": "%s", "sdk": "java"}}
        {"id": 2, "conversation.create": {"kind": "group", "id": "quickstart", "members": ["bob"]}}
        {"id": 3, "send": {"conversation": "quickstart", "client_msg_id": "%s", "kind": "text", "body": {"text": "Hello from Java"}}}
        """.formatted(TOKEN, UUID.randomUUID()).lines().iterator();
    final CompletableFuture<Void> closed = new CompletableFuture<>();
    final StringBuilder message = new StringBuilder();
    CompletableFuture<WebSocket> sent = CompletableFuture.completedFuture(null);

    public static void main(String[] args) {
        var chat = new Chat();
        HttpClient.newHttpClient().newWebSocketBuilder().subprotocols("tokenim.v1.json").buildAsync(URI.create(URL), chat).join();
        chat.closed.join();
    }

    void send(WebSocket socket, String text) {
        sent = sent.thenCompose(done -> socket.sendText(text, true)); // one after another, as the JDK asks
    }

    void receive(WebSocket socket, String text) {
        if (text.startsWith("{\"push\":{\"type\":\"ping\"")) {
            send(socket, "{\"pong\":{}}");
            return;
        }
        System.out.println(text);
        var pushed = MESSAGE.matcher(text);
        // Say what you have: where 1,000 messages are not confirmed, the server waits.
        if (pushed.lookingAt()) send(socket, RECEIVED.formatted(pushed.group(1)));
        if (text.contains("\"ok\":") && commands.hasNext()) send(socket, commands.next());
    }

    @Override
    public void onOpen(WebSocket socket) {
        send(socket, commands.next());
        socket.request(1);
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
        message.append(part);
        if (isLast) {
            receive(socket, message.toString());
            message.setLength(0);
        }
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        System.out.println("closed: " + code + " " + reason);
        closed.complete(null);
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
        closed.completeExceptionally(error);
    }
}
