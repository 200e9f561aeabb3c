namespace Hami.Api.Asking;

/// <summary>The small questions filters ask.</summary>
internal static class Match
{
    /// <summary>True where nothing is asked for.</summary>
    public static bool Is(string? wanted, string value) => wanted is null || string.Equals(wanted, value, StringComparison.Ordinal);

    /// <inheritdoc cref="Is(string?, string)"/>
    public static bool Is(bool? wanted, bool value) => wanted is null || wanted == value;

    /// <summary>Whether a text occurs, in whatever case.</summary>
    public static bool Has(string? part, string value) => part is null || value.Contains(part, StringComparison.OrdinalIgnoreCase);
}
