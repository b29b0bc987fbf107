// Nothing to install beside Swift on macOS 12 or newer: save this as chat.swift, run: swift chat.swift
import Foundation

actor Chat {
    static let url = URL(string: "{{ws}}/v1/connect")!
    static let token = "{{token}}" // speaks for alice, for an hour

    let socket = URLSession.shared.webSocketTask(with: Chat.url, protocols: ["tokenim.v1.json"])
    var last = 0

    func run() async throws {
        socket.resume()
        try await call("connect", ["token": Chat.token, "sdk": "swift"])
        try await call("conversation.create", ["kind": "group", "id": "quickstart", "members": ["bob"]])
        let ack = try await call("send", [
            "conversation": "quickstart", "client_msg_id": UUID().uuidString, "kind": "text", "body": ["text": "Hello from Swift"],
        ])
        print("stored as seq", ack["seq"] ?? "?")
        while true { try await handle(receive()) }
    }

    @discardableResult
    func call(_ command: String, _ fields: [String: Any]) async throws -> [String: Any] {
        last += 1
        try await send(["id": last, command: fields])
        while true {
            let message = try await receive()
            if let ok = message["ok"] as? [String: Any] { return ok }
            if let error = message["error"] {
                print("refused:", error)
                exit(1)
            }
            try await handle(message)
        }
    }

    func handle(_ message: [String: Any]) async throws {
        let push = message["push"] as? [String: Any] ?? [:]
        let body = push["body"] as? [String: Any] ?? [:]
        if push["type"] as? String == "ping" { try await send(["pong": [String: Any]()]) }
        if push["type"] as? String == "message" {
            print("\(push["sender"] ?? ""): \(body["text"] ?? "")")
            // Say what you have: where 1,000 messages are not confirmed, the server waits.
            try await call("received", ["conversation": push["conversation"] ?? "", "seq": push["seq"] ?? 0])
        }
    }

    func send(_ message: [String: Any]) async throws {
        let json = try JSONSerialization.data(withJSONObject: message)
        try await socket.send(.string(String(decoding: json, as: UTF8.self)))
    }

    func receive() async throws -> [String: Any] {
        guard case .string(let text) = try await socket.receive() else { return [:] }
        return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
    }
}

try await Chat().run()
