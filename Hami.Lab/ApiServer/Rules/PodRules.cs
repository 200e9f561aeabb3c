using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>core/v1 Pod: defaults, built-in admission and the life of its status.</summary>
internal sealed class PodRules : ResourceRules
{
    public override void Default(JsonObject body)
    {
        var spec = body.Child("spec");
        spec.SetIfMissing("enableServiceLinks", true);
        // SetDefaults_Pod: a limit is also what is asked for, extended resources included.
        foreach (var resources in Containers(spec).Select(c => c.Child("resources")))
        {
            foreach (var (name, amount) in resources["limits"] as JsonObject ?? [])
                resources.Child("requests").SetIfMissing(name, amount!.DeepClone());
        }
        PodDefaults.OfSpec(spec);
    }

    public override void Admit(JsonObject body, ObjectStore store) => PodAdmission.Admit(body, store);

    public override void Review(JsonObject body, ObjectStore store) => PodAdmission.Review(body, store);

    public override void Complete(JsonObject body)
    {
        foreach (var condition in body.ListAt("status", "conditions").Objects().Where(c => !c.ContainsKey("lastProbeTime")))
            condition["lastProbeTime"] = null;
    }

    public override void PrepareCreate(JsonObject body) =>
        body["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = QualityOf(body.Child("spec")) };

    public override IEnumerable<Cause> Validate(JsonObject body) => PodChecks.Of(body);

    // validation.ValidatePodStatusUpdate looks at the change and the status, never at the spec again.
    public override bool ValidatesWithStatus => false;

    public override IEnumerable<Cause> ValidateNew(JsonObject body) => PodChecks.OfNew(body);

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) => PodChecks.OfUpdate(body, old);

    // podStrategy.CheckGracefulDelete: nobody runs an unassigned or finished pod, so there is nobody to wait for.
    public override long? GracePeriod(JsonObject body, long? asked)
    {
        if (string.IsNullOrEmpty(body.TextAt("spec", "nodeName")) || body.TextAt("status", "phase") is "Failed" or "Succeeded")
            return 0;
        var seconds = asked ?? body.NumberAt("spec", "terminationGracePeriodSeconds") ?? 0;
        return seconds < 0 ? 1 : seconds;
    }

    internal static IEnumerable<JsonObject> Containers(JsonNode spec) => spec.At("initContainers").Objects().Concat(spec.At("containers").Objects());

    // qos.ComputePodQOS: only cpu and memory count.
    private static string QualityOf(JsonObject spec)
    {
        var anything = false;
        var guaranteed = true;
        foreach (var resources in Containers(spec).Select(c => c.Child("resources")))
        {
            foreach (var name in (string[])["cpu", "memory"])
            {
                var limit = Positive(resources.TextAt("limits", name));
                var request = Positive(resources.TextAt("requests", name));
                anything |= limit > 0 || request > 0;
                guaranteed &= limit > 0 && limit == request;
            }
        }
        return guaranteed && anything ? "Guaranteed" : anything ? "Burstable" : "BestEffort";
    }

    private static decimal Positive(string? quantity) => quantity is null ? 0 : Quantities.Amount(quantity);
}

/// <summary>Names and parts of names that the server makes up.</summary>
internal static class Names
{
    // apimachinery, util/rand: no vowels, so no words; no digits that look like letters.
    public const string Letters = "bcdfghjklmnpqrstvwxz2456789";

    public static string RandomSuffix() => RandomNumberGenerator.GetString(Letters, 5);
}
