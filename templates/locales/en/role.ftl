# Roles in an org.
role-owner = owner
role-admin = admin
role-developer = developer
role-billing = billing
role-viewer = viewer
role-and = , 
