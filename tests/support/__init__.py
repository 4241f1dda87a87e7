"""What tests share: photos, a running daemon, waiting for things to become true."""
