"""The scripts' Python: starting Palio, its command line, the demo."""
