using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>A webhook as a configuration names it, and whether it wants to hear of a call: its rules and its two selectors.</summary>
internal sealed class Webhook
{
    private static readonly ConditionalWeakTable<Stored, Webhook[]> Read = [];

    private readonly WebhookRule[] _rules;

    private Webhook(JsonObject body)
    {
        Body = body;
        _rules = [.. body["rules"].Objects().Select(r => new WebhookRule(r))];
    }

    /// <summary>As it stands in the configuration.</summary>
    public JsonObject Body { get; }

    /// <summary>All of a configuration's.</summary>
    public static Webhook[] Of(Stored configuration) =>
        Read.GetValue(configuration, static c => [.. c.Body["webhooks"].Objects().Select(w => new Webhook(w))]);

    /// <summary>True when a rule covers it, whatever the selectors say.</summary>
    public bool Covers(AdmissionCall call) => Array.Exists(_rules, r => r.Covers(call));

    /// <summary>True when the selectors let through what the rules cover.</summary>
    public bool Selects(AdmissionCall call, JsonObject? namespaceLabels) =>
        (call.Namespace.Length == 0 || Selector.MatchesLabels(Body["namespaceSelector"], namespaceLabels))
        // An update is looked at if the object matches before or after it.
        && (Selector.MatchesLabels(Body["objectSelector"], call.Object.MapAt("metadata", "labels"))
            || (call.OldObject is { } old && Selector.MatchesLabels(Body["objectSelector"], old.MapAt("metadata", "labels"))));
}
