# Nothing to install. The token speaks for alice, for an hour.
TOKEN='{{token}}'
post() { curl -sSw '\n' "{{http}}/v1/$1" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d "$2"; }
post conversations '{"kind":"group","id":"quickstart","members":["alice","bob"]}'
post conversations/quickstart/messages "{\"client_msg_id\":\"curl-$(date +%s)\",\"kind\":\"text\",\"body\":{\"text\":\"Hello from curl\"}}"
curl -sSw '\n' "{{http}}/v1/conversations/quickstart/messages" -H "Authorization: Bearer $TOKEN"
