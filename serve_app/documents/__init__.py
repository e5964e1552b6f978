"""What clients may read about messages that OpenAPI does not describe: JSON Schemas and the AsyncAPI document."""
