berth { required_version = ">= 99" } # ERROR: Unsuitable version
