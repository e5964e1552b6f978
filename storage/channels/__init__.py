"""The channels of notices: e-mail, web push, webhooks, live sockets; and the texts that they send."""
