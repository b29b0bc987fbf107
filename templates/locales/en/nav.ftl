# Entries of the navigation.
nav-overview = Overview
nav-apps = Apps
nav-usage = Usage
nav-app = App
nav-quickstart = Quickstart
nav-keys = Keys
nav-signing-keys = Signing keys
nav-origins = Origins
nav-members = Members
nav-audit = Audit log
nav-settings = Settings
nav-billing = Plan
nav-account = Account
nav-operator = Operator area
nav-operator-orgs = Orgs
nav-operator-plans = Plans
nav-operator-jobs = Mail and jobs
