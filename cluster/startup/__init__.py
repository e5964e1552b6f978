"""Starting and stopping a whole Palio."""
