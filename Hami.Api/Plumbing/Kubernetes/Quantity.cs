using k8s.Models;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>Reads Kubernetes quantities; the plain ones that pods are full of without the library's big numbers.</summary>
internal static class Quantity
{
    private const int MostDigits = 15;

    /// <summary>False when the text is no quantity, or larger than 28 digits can say.</summary>
    public static bool TryParse(string text, out decimal value)
    {
        if (TryPlain(text, out value))
            return true;
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
        return factor != 0;
    }
}
