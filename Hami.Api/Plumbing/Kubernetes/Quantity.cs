using System.Globalization;
using k8s.Models;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>Reads Kubernetes quantities; the plain ones that pods are full of without the library's big numbers.</summary>
internal static class Quantity
{
    private const int MostDigits = 15;

    // The library computes any power of ten it is asked for, however long that takes.
    private const int LongestText = 64;
    private const int LargestExponent = 64;

    /// <summary>False when the text is no quantity, or larger than 28 digits can say.</summary>
    public static bool TryParse(string text, out decimal value)
    {
        if (TryPlain(text, out value))
            return true;
        if (text.Length > LongestText || HasHugeExponent(text))
            return false;
        try
        {
            value = new ResourceQuantity(text).ToDecimal();
            return true;
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            return false;
        }
    }

    private static bool HasHugeExponent(string text)
    {
        var at = text.AsSpan().IndexOfAny('e', 'E');
        // A lone E, and Ei, are suffixes.
        return at >= 0 && int.TryParse(text.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent)
            ? Math.Abs((long)exponent) > LargestExponent
            : at >= 0 && text.AsSpan(at + 1) is not ("" or "i");
    }

    /// <summary>A whole number with the suffixes of every day.</summary>
    private static bool TryPlain(string text, out decimal value)
    {
        value = 0;
        var digits = 0;
        long number = 0;
        while (digits < text.Length && text[digits] is >= '0' and <= '9')
        {
            if (digits == MostDigits)
                return false;
            number = (number * 10) + (text[digits++] - '0');
        }
        decimal factor = digits == 0 ? 0 : text.AsSpan(digits) switch
        {
            "" => 1,
            "m" => 0.001m,
            "k" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            "Ki" => 1L << 10,
            "Mi" => 1L << 20,
            "Gi" => 1L << 30,
            "Ti" => 1L << 40,
            _ => 0,
        };
        value = number * factor;
        // Kubernetes caps what is larger than a long; the library knows how.
        return factor != 0 && value <= long.MaxValue;
    }
}
