# Texts around every page: header, account menu, languages, themes.
frame-skip = Skip to the content
frame-nav = Console
frame-nav-usage = Usage
frame-account = Account
frame-signed-in-as = Signed in as { $email }
frame-theme = Theme
frame-theme-system = System
frame-theme-light = Light
frame-theme-dark = Dark
frame-language = Language
frame-sign-out = Sign out
frame-mode-live = live
frame-mode-test = test
frame-title = { $page } · TokenIM
frame-title-test = { $page } · test · TokenIM
frame-title-live = { $page } · live · TokenIM
