using System.Text.RegularExpressions;
using k8s.Models;

namespace Hami.Lab.ApiServer;

/// <summary>Kubernetes' quantities: <c>3000</c> is written <c>3k</c>, <c>0.5</c> is <c>500m</c>, <c>10240</c> stays (apimachinery, api/resource).</summary>
internal static partial class Quantities
{
    public const string Malformed = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

    /// <summary>The one spelling Kubernetes stores; throws <see cref="FormatException"/> with its words when the text is no quantity.</summary>
    public static string Canonical(string text)
    {
        // The client's own writer loses its way below zero.
        if (text.TrimStart() is not ['-', .. var positive])
            return Parse(text).CanonicalizeString();
        _ = Parse(text);
        return Canonical(positive) is "0" ? "0" : $"-{Canonical(positive)}";
    }

    /// <summary>The amount in the resource's unit.</summary>
    public static decimal Amount(string text) => Parse(text).ToDecimal();

    private static ResourceQuantity Parse(string text)
    {
        // The client's own parser is more forgiving than the server's.
        if (!Grammar().IsMatch(text.Trim()))
            throw new FormatException(Malformed);
        try
        {
            var quantity = new ResourceQuantity(text.Trim());
            _ = quantity.ToDecimal();
            return quantity;
        }
        catch (OverflowException e)
        {
            // A real server takes the largest number there is instead; nobody has so much of anything.
            throw new FormatException(Malformed, e);
        }
    }

    [GeneratedRegex(@"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(n|u|m|k|M|G|T|P|E|[KMGTPE]i|[eE][+-]?[0-9]+)?$", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Grammar();
}
