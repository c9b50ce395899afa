"""`python -m ssap_ros.node.depth`"""

import sys

from ssap_ros.node.depth import main

if __name__ == "__main__":
    sys.exit(main())
