"""`python -m ssap_ros.node`"""

import sys

from ssap_ros.node import main

if __name__ == "__main__":
    sys.exit(main())
