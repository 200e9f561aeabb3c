namespace Hami.Domain.Protocol;

/// <summary>Codec of the annotation <see cref="HamiKeys.DeviceCordon"/>: UUIDs between commas; blanks do not count.</summary>
public static class Cordon
{
    public static IReadOnlySet<string> Decode(string? text) => (text ?? "")
        .Replace("\0", "", StringComparison.Ordinal) // which no UUID has and the log cannot keep
        .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .ToHashSet(StringComparer.Ordinal);
}
