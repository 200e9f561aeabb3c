using Hami.Lab.Cluster;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

/// <summary>This machine's own Chromium; none is ever downloaded.</summary>
internal static class Chromium
{
    private static readonly string[] Names = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];

    /// <summary>Where it is; null where there is none.</summary>
    public static string? Program { get; } = Environment.GetEnvironmentVariable("HAMI_TEST_CHROMIUM") is { Length: > 0 } given
        ? given
        : Names.Select(Programs.Find).FirstOrDefault(found => found is not null);

    public static Task<IBrowser> StartAsync(IPlaywright playwright) => playwright.Chromium.LaunchAsync(new()
    {
        ExecutablePath = Program,
        Headless = true,
        // Containers have no user namespaces for the sandbox; the pages are our own.
        ChromiumSandbox = false,
        Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
        Timeout = 60_000,
    });
}
