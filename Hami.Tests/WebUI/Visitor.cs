using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

/// <summary>Who opens a page, and with what.</summary>
internal sealed record Visitor
{
    /// <summary>What the tab was signed in with; null for somebody who has still to sign in.</summary>
    public string? Token { get; init; }

    /// <summary>The browser's language.</summary>
    public string Locale { get; init; } = "en-GB";

    /// <summary>What the system says of dark and light.</summary>
    public ColorScheme Scheme { get; init; } = ColorScheme.Light;

    public (int Width, int Height) Window { get; init; } = (1280, 800);
}
