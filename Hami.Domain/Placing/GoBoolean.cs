namespace Hami.Domain.Placing;

/// <summary>The words that Go's <c>strconv.ParseBool</c> takes, and no others.</summary>
internal static class GoBoolean
{
    public const string Words = "true or false";

    /// <summary>Null when the text is no such word.</summary>
    public static bool? TryParse(string? text) => text switch
    {
        "1" or "t" or "T" or "true" or "TRUE" or "True" => true,
        "0" or "f" or "F" or "false" or "FALSE" or "False" => false,
        _ => null,
    };
}
