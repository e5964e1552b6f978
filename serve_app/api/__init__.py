"""The api: FastAPI, its documentation and the page's headers."""
