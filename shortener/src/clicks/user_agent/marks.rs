//! What user agents are recognised by. All names that statistics can show are here.

pub(super) const OTHER: &str = "Other";

/// Marks of those who show a link's title; where the name differs from the mark it follows.
pub(super) const PREVIEWS: &[(&str, &str)] = &[
    ("facebookexternalhit", "facebookexternalhit"),
    ("Facebot", "facebookexternalhit"),
    ("Twitterbot", "Twitterbot"),
    ("Slackbot", "Slackbot"),
    ("Slack-ImgProxy", "Slackbot"),
    ("WhatsApp/", "WhatsApp"),
    ("TelegramBot", "TelegramBot"),
    ("Discordbot", "Discordbot"),
    ("LinkedInBot", "LinkedInBot"),
    ("SkypeUriPreview", "SkypeUriPreview"),
    ("MicrosoftPreview", "MicrosoftPreview"),
    ("Mastodon/", "Mastodon"),
    ("Pleroma", "Pleroma"),
    ("Misskey/", "Misskey"),
    ("Synapse", "Matrix"),
    ("Mattermost", "Mattermost"),
    ("Cardyb", "Bluesky Cardyb"),
    ("Iframely", "Iframely"),
    ("Embedly", "Embedly"),
    ("Pinterestbot", "Pinterestbot"),
    ("redditbot", "redditbot"),
    ("vkShare", "vkShare"),
    ("Viber/", "Viber"),
    ("Snap URL Preview", "Snapchat"),
    ("link preview", OTHER),
];

/// Machines worth a name of their own; whatever else is a machine is `Other`.
#[rustfmt::skip]
pub(super) const BOTS: &[&str] = &[
    // Search engines and their kin.
    "Googlebot", "Google-InspectionTool", "AdsBot-Google", "GoogleOther", "bingbot", "Applebot",
    "YandexBot", "Baiduspider", "DuckDuckBot", "PetalBot", "Amazonbot", "AhrefsBot", "SemrushBot",
    "MJ12bot", "DotBot",
    // Those who read for language models.
    "GPTBot", "ChatGPT-User", "OAI-SearchBot", "ClaudeBot", "Claude-User", "PerplexityBot",
    "Perplexity-User", "meta-externalagent", "Bytespider", "CCBot",
    // Watchers and driven browsers.
    "UptimeRobot", "Pingdom", "StatusCake", "Blackbox", "kube-probe", "Chrome-Lighthouse",
    "HeadlessChrome",
    // Programs.
    "curl", "Wget", "python-requests", "python-httpx", "aiohttp", "Python-urllib",
    "Go-http-client", "okhttp", "axios", "node-fetch", "undici", "Apache-HttpClient", "Java",
    "PostmanRuntime",
];

/// Signs of a machine that no browser shows: it gives an address to complain to, or says so.
pub(super) const MACHINE_SIGNS: &[&str] = &["://", "@", "compatible; ", "headless", "lighthouse"];

/// Words that machines have in their names.
pub(super) const MACHINE_WORDS: &[&str] = &["bot", "crawler", "spider", "scraper", "node-fetch"];

/// Marks of browsers, the more special ones first: most claim to be Chrome and Safari as well.
pub(super) const BROWSERS: &[(&str, &str)] = &[
    // Apps that open links themselves.
    ("FBAN/", "Facebook"),
    ("FB_IAB/", "Facebook"),
    ("Instagram ", "Instagram"),
    ("musical_ly", "TikTok"),
    ("BytedanceWebview", "TikTok"),
    ("Snapchat/", "Snapchat"),
    ("LinkedInApp", "LinkedIn"),
    ("MicroMessenger/", "WeChat"),
    ("[Pinterest/", "Pinterest"),
    (" Line/", "Line"),
    ("KAKAOTALK", "KakaoTalk"),
    ("Twitter for", "X"),
    ("GSA/", "Google"),
    ("Electron/", "Electron"),
    // Browsers on the engines of others.
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("Opera", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex"),
    ("Whale/", "Whale"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("UCBrowser/", "UC Browser"),
    ("MiuiBrowser/", "Xiaomi"),
    ("HuaweiBrowser/", "Huawei"),
    ("QQBrowser/", "QQ"),
    ("Silk/", "Silk"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("; wv)", "Android WebView"),
    ("Chrome/", "Chrome"),
    ("Trident/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
];

/// Marks of systems: iOS also says "like Mac OS X", and what is built on Linux says so.
pub(super) const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("iPod", "iOS"),
    ("Windows", "Windows"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("KAIOS", "KaiOS"),
    ("PlayStation", "PlayStation"),
    ("Mac OS X", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
];
