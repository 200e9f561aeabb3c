using System.Globalization;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Label selectors of pods and nodes.</summary>
internal static class Labels
{
    public static bool Same(IDictionary<string, string>? a, IDictionary<string, string>? b) =>
        (a?.Count ?? 0) == (b?.Count ?? 0)
        && (a is null || a.All(pair => b!.TryGetValue(pair.Key, out var value) && value == pair.Value));

    public static string? Value(this IDictionary<string, string>? labels, string key) =>
        labels is not null && labels.TryGetValue(key, out var value) ? value : null;

    /// <summary>A selector that is not there selects nothing; an empty one everything.</summary>
    public static bool Selects(this V1LabelSelector? selector, IDictionary<string, string>? labels) =>
        selector is not null
        && (selector.MatchLabels ?? new Dictionary<string, string>(StringComparer.Ordinal)).All(pair => labels.Value(pair.Key) == pair.Value)
        && (selector.MatchExpressions ?? []).All(e => Holds(e.OperatorProperty, labels.Value(e.Key), e.Values));

    /// <summary>Whether one expression holds for the value of its label; null when the label is missing.</summary>
    public static bool Holds(string operatorWord, string? value, IList<string>? values) => operatorWord switch
    {
        "In" => value is not null && values?.Contains(value) == true,
        "NotIn" => value is null || values?.Contains(value) != true,
        "Exists" => value is not null,
        "DoesNotExist" => value is null,
        "Gt" => Number(value) > Number(values?.SingleOrDefault()),
        "Lt" => Number(value) < Number(values?.SingleOrDefault()),
        _ => false,
    };

    private static long? Number(string? text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
}
