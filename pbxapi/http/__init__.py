"""HTTP: keys and domains, the two URL families, the envelope, errors, the OpenAPI document."""
