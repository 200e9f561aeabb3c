using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>core/v1 Event: it stands beside what it is about.</summary>
internal class EventRules : ResourceRules
{
    private const string Elsewhere = "does not match event.namespace";

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var causes = new Causes();
        var (own, about) = (body.TextAt("metadata", "namespace") ?? "", body.TextAt("involvedObject", "namespace") ?? "");
        if (body.TextAt("eventTime") is { Length: > 0 })
        {
            if (about.Length == 0 && own is not ("kube-system" or "default"))
                causes.Invalid("involvedObject.namespace", about, Elsewhere);
            CheckTimed(body, causes);
        }
        else if (about.Length == 0 ? own is not "default" : about != own)
        {
            causes.Invalid("involvedObject.namespace", about, Elsewhere);
        }
        return causes.Found;
    }

    // An event with a time of its own is written by a reporter of the newer kind.
    private static void CheckTimed(JsonObject body, Causes causes)
    {
        var reporter = body.TextAt("reportingComponent") ?? "";
        if (reporter.Length == 0)
            causes.Required("reportingController");
        causes.Invalid("reportingController", reporter, Formats.QualifiedName(reporter));
        foreach (var field in (string[])["reportingInstance", "action", "reason"])
        {
            if (string.IsNullOrEmpty(body.TextAt(field)))
                causes.Required(field);
            else if (body.TextAt(field)!.Length > 128)
                causes.Invalid(field, "", "can have at most 128 characters");
        }
        if (body.TextAt("message") is { Length: > 1024 })
            causes.Invalid("message", "", "can have at most 1024 characters");
    }
}

/// <summary>events.k8s.io/v1 Event: the same, and nothing of what it calls deprecated.</summary>
internal sealed class NewEventRules : EventRules
{
    private static readonly string[] Fixed =
    [
        "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type", "eventTime", "action", "related", "reportingComponent", "reportingInstance",
    ];

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var causes = new Causes();
        causes.Add(base.Validate(body));
        if (body.MapAt("series") is { } series)
        {
            if ((series.NumberAt("count") ?? 0) < 2)
                causes.Invalid("series.count", "", "should be at least 2");
            if (string.IsNullOrEmpty(series.TextAt("lastObservedTime")))
                causes.Required("series.lastObservedTime");
        }
        return causes.Found;
    }

    public override IEnumerable<Cause> ValidateNew(JsonObject body)
    {
        var causes = new Causes();
        if (string.IsNullOrEmpty(body.TextAt("eventTime")))
            causes.Required("eventTime");
        if (body.TextAt("type") is not ("Normal" or "Warning"))
            causes.Invalid("type", "", $"has invalid value: {body.TextAt("type")}");
        foreach (var field in ((string[])["firstTimestamp", "lastTimestamp", "count"]).Where(f => body.TextAt(f) is not (null or "" or "0")))
            causes.Invalid(field, "", "needs to be unset");
        if (!string.IsNullOrEmpty(body.TextAt("source", "component")) || !string.IsNullOrEmpty(body.TextAt("source", "host")))
            causes.Invalid("source", "", "needs to be unset");
        return causes.Found;
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) => Fixed.Where(f => !Json.Same(body[f], old[f]))
        .Select(f => Cause.Invalid(f is "reportingComponent" ? "reportingController" : f, body[f], Formats.Immutable));
}
