using System.Text;

namespace Hami.Lab.ApiServer;

/// <summary>Bytes inside JSON. Go says where a text stops being Base64, and line ends in it do not count.</summary>
internal static class Base64Text
{
    /// <summary>The text as it is stored; null where it already is. Throws <see cref="FormatException"/> with Go's words.</summary>
    public static string? Check(string text)
    {
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is '\r' or '\n')
                continue;
            if (text[i] is '=')
                return Ended(text, i, plain);
            if (!char.IsAsciiLetterOrDigit(text[i]) && text[i] is not ('+' or '/'))
                throw Wrong(text, i);
            plain.Append(text[i]);
        }
        return plain.Length % 4 == 0 ? Changed(text, plain) : throw Wrong(text, text.Length - plain.Length % 4);
    }

    // Padding fills the last four up, and nothing comes after it.
    private static string? Ended(string text, int at, StringBuilder plain)
    {
        if (plain.Length % 4 < 2)
            throw Wrong(text, at);
        var end = Next(text, at + 1);
        plain.Append('=');
        if (plain.Length % 4 == 3)
        {
            if (end == text.Length)
                throw Wrong(text, text.Length);
            if (text[end] is not '=')
                throw Wrong(text, end - 1);
            plain.Append('=');
            end = Next(text, end + 1);
        }
        return end == text.Length ? Changed(text, plain) : throw Wrong(text, end);
    }

    private static int Next(string text, int at)
    {
        while (at < text.Length && text[at] is ('\r' or '\n'))
            at++;
        return at;
    }

    private static string? Changed(string text, StringBuilder plain) => plain.Length == text.Length ? null : plain.ToString();

    private static FormatException Wrong(string text, int at) => new($"illegal base64 data at input byte {Encoding.UTF8.GetByteCount(text.AsSpan(0, at))}");
}
