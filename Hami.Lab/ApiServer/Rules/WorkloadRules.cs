using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>apps/v1 Deployment.</summary>
internal sealed class DeploymentRules : ResourceRules
{
    public override void Default(JsonObject body)
    {
        var spec = body.Child("spec");
        spec.SetIfMissing("replicas", 1);
        var strategy = spec.Child("strategy");
        strategy.SetIfMissing("type", "RollingUpdate");
        if (strategy.TextAt("type") is "RollingUpdate")
        {
            var rolling = strategy.Child("rollingUpdate");
            rolling.SetIfMissing("maxUnavailable", "25%");
            rolling.SetIfMissing("maxSurge", "25%");
        }
        spec.SetIfMissing("revisionHistoryLimit", 10);
        spec.SetIfMissing("progressDeadlineSeconds", 600);
        PodTemplates.Default(spec);
    }

    public override void PrepareCreate(JsonObject body) => body["status"] = new JsonObject();

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var spec = body.Child("spec");
        return
        [
            .. PodTemplates.NotNegative(spec, "replicas"),
            .. PodTemplates.ValidateSelector(spec, "deployment"),
            .. PodTemplates.Validate(spec),
            .. PodTemplates.ValidateAlwaysRestarts(spec),
            .. Strategy(spec.Child("strategy")),
            .. PodTemplates.NotNegative(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"),
            .. Deadline(spec),
        ];
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) => PodTemplates.Immutable(body, old, "selector");

    private static IEnumerable<Cause> Deadline(JsonObject spec)
    {
        if (spec.NumberAt("progressDeadlineSeconds") is { } deadline && deadline >= 0 && deadline <= (spec.NumberAt("minReadySeconds") ?? 0))
            yield return Cause.Invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds");
    }

    private static IEnumerable<Cause> Strategy(JsonObject strategy)
    {
        switch (strategy.TextAt("type"))
        {
            case "Recreate":
                if (strategy["rollingUpdate"] is JsonObject)
                    yield return Cause.Forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
                break;
            case "RollingUpdate":
                var (unavailable, surge) = (strategy.At("rollingUpdate", "maxUnavailable"), strategy.At("rollingUpdate", "maxSurge"));
                foreach (var (name, value) in new[] { ("maxUnavailable", unavailable), ("maxSurge", surge) })
                {
                    if (Amounts.Of(value, 100) is null or < 0)
                        yield return Cause.Invalid($"spec.strategy.rollingUpdate.{name}", value, "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')");
                }
                if (Amounts.Of(unavailable, 100) == 0 && Amounts.Of(surge, 100) == 0)
                    yield return Cause.Invalid("spec.strategy.rollingUpdate.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0");
                break;
            default:
                yield return Cause.Unsupported("spec.strategy.type", strategy.TextAt("type"), "Recreate", "RollingUpdate");
                break;
        }
    }
}

/// <summary>apps/v1 ReplicaSet.</summary>
internal sealed class ReplicaSetRules : ResourceRules
{
    public override void Default(JsonObject body)
    {
        var spec = body.Child("spec");
        spec.SetIfMissing("replicas", 1);
        PodTemplates.Default(spec);
    }

    public override void PrepareCreate(JsonObject body) => body["status"] = new JsonObject { ["replicas"] = 0 };

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var spec = body.Child("spec");
        return
        [
            .. PodTemplates.NotNegative(spec, "replicas", "minReadySeconds"),
            .. PodTemplates.ValidateSelector(spec, "deployment"),
            .. PodTemplates.Validate(spec),
            .. PodTemplates.ValidateAlwaysRestarts(spec),
        ];
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) => PodTemplates.Immutable(body, old, "selector");
}

/// <summary>Numbers that may be written as a share of a whole.</summary>
internal static class Amounts
{
    /// <summary>The number, or that percentage of the whole rounded as asked; null when it is neither.</summary>
    public static int? Of(JsonNode? amount, int whole, bool up = false)
    {
        if (amount is not JsonValue value)
            return null;
        if (value.TryGetValue<string>(out var text))
        {
            if (!text.EndsWith('%') || !int.TryParse(text[..^1], out var percent))
                return null;
            return (int)(up ? Math.Ceiling(whole * percent / 100m) : Math.Floor(whole * percent / 100m));
        }
        return int.TryParse(value.ToJsonString(), out var number) ? number : null;
    }
}
