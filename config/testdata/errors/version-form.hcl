berth { required_version = "=> 1" } # ERROR: Invalid version
