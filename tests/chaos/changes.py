"""Takes members out of groups and lets them in again, by REST, under load and kills; what was asked and answered goes to the history."""

from restload import Worker, insist

# How long a member stays out, or in, before it is changed again.
STAY_SECONDS = (0.0, 0.15)
IDLE_SECONDS = 1


class Changes(Worker):
    """`changing` says who comes and goes, by conversation; each change is repeated until it is answered."""

    def __init__(self, tenant, changing, rng):
        super().__init__()
        self.tenant, self.rng = tenant, rng
        self.out = {(conv, user): False for conv, users in changing.items() for user in users}

    def __exit__(self, kind, *_):
        super().__exit__()
        if self.broken is not None and kind is None:  # else there is another fault to tell
            raise self.broken

    def step(self):
        if not self.out:
            return IDLE_SECONDS
        place = self.rng.choice(list(self.out))
        word = "add" if self.out[place] else "remove"
        self.tenant.note(word, conv=place[0], user=place[1])
        answer = insist(lambda: self.ask(word, *place))
        if answer["changed"]:  # else an attempt before it did, whose answer was lost
            self.tenant.note("changed", conv=place[0], user=place[1], change=word, seq=answer["seq"])
        self.out[place] = not self.out[place]
        return self.rng.uniform(*STAY_SECONDS)

    def ask(self, word, conv, user):
        path = f"/v1/conversations/{conv}/members"
        if word == "add":
            return self.tenant.rest.call("POST", path, {"members": [user]})
        return self.tenant.rest.call("DELETE", f"{path}/{user}")
