namespace Hami.Api.Observing;

/// <summary>Texts that many pods have in common, such as names of images, each kept once; never more than a few thousand of them.</summary>
internal sealed class CommonTexts
{
    private const int Places = 4096;

    // A text takes the place of another one with the same remainder: what is common comes back, and nothing is ever cleaned up.
    private readonly string?[] _texts = new string?[Places];

    /// <summary>The same text, as one that was seen before where there was one.</summary>
    public string? Of(string? text)
    {
        if (text is null)
            return null;
        ref var place = ref _texts[(uint)text.GetHashCode(StringComparison.Ordinal) % Places];
        var known = Volatile.Read(ref place);
        if (string.Equals(known, text, StringComparison.Ordinal))
            return known;
        Volatile.Write(ref place, text);
        return text;
    }
}
