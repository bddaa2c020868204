"""Tables and named queries; takes a connection, commits nothing."""
