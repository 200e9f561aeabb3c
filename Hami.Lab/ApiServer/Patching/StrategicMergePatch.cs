using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Kubernetes' own merge: lists with a merge key are merged item by item, and directives start with a dollar sign.</summary>
internal static class StrategicMergePatch
{
    private const string Order = "$setElementOrder/";
    private const string DeletePrimitive = "$deleteFromPrimitiveList/";

    // The patchMergeKey tags of core/v1 and admissionregistration/v1; every other list is replaced as a whole (tolerations and taints too).
    private static readonly Dictionary<string, string> MergeKeys = new(StringComparer.Ordinal)
    {
        ["containers"] = "name", ["initContainers"] = "name", ["ephemeralContainers"] = "name", ["volumes"] = "name", ["env"] = "name",
        ["volumeMounts"] = "mountPath", ["volumeDevices"] = "devicePath", ["ports"] = "containerPort", ["imagePullSecrets"] = "name",
        ["hostAliases"] = "ip", ["conditions"] = "type", ["addresses"] = "type", ["podIPs"] = "ip", ["hostIPs"] = "ip", ["ownerReferences"] = "uid",
        ["topologySpreadConstraints"] = "topologyKey", ["schedulingGates"] = "name", ["resourceClaims"] = "name", ["webhooks"] = "name", ["secrets"] = "name",
    };

    // Lists of plain values with the merge strategy: the patch adds to them.
    private static readonly HashSet<string> PrimitiveSets = new(StringComparer.Ordinal) { "finalizers", "podCIDRs" };

    public static JsonObject Apply(JsonObject target, JsonObject patch)
    {
        if (patch.TextAt("$patch") is "replace")
        {
            var whole = Json.Copy(patch);
            whole.Remove("$patch");
            return whole;
        }
        if (patch["$retainKeys"] is JsonArray retained)
        {
            var names = retained.Select(n => n!.GetValue<string>()).ToHashSet(StringComparer.Ordinal);
            foreach (var (name, _) in target.ToArray())
            {
                if (!names.Contains(name))
                    target.Remove(name);
            }
        }
        foreach (var (name, value) in patch)
        {
            if (name.StartsWith('$'))
                Direct(target, name, value);
            else if (value is null)
                target.Remove(name);
            else if (value is JsonObject inner)
                MergeObject(target, name, inner);
            else if (value is JsonArray list)
                Put(target, name, MergeList(name, target[name] as JsonArray ?? [], list));
            else
                target[name] = value.DeepClone();
        }
        foreach (var (name, value) in patch)
        {
            if (name.StartsWith(Order, StringComparison.Ordinal) && value is JsonArray order && target[name[Order.Length..]] is JsonArray list)
                Sort(name[Order.Length..], list, order);
        }
        return target;
    }

    private static void MergeObject(JsonObject target, string name, JsonObject inner)
    {
        if (inner.TextAt("$patch") is "delete")
        {
            target.Remove(name);
            return;
        }
        Put(target, name, Apply(target[name] as JsonObject ?? [], inner));
    }

    private static void Put(JsonObject target, string name, JsonNode merged)
    {
        if (!ReferenceEquals(merged, target[name]))
            target[name] = merged;
    }

    private static void Direct(JsonObject target, string name, JsonNode? value)
    {
        if (!name.StartsWith(DeletePrimitive, StringComparison.Ordinal) || value is not JsonArray gone || target[name[DeletePrimitive.Length..]] is not JsonArray list)
            return;
        foreach (var item in list.ToArray())
        {
            if (gone.Any(g => Json.Same(g, item)))
                list.Remove(item);
        }
    }

    private static JsonArray MergeList(string name, JsonArray result, JsonArray patch)
    {
        if (PrimitiveSets.Contains(name))
        {
            foreach (var item in patch.Where(p => !result.Any(r => Json.Same(r, p))).ToArray())
                result.Add(item?.DeepClone());
            return result;
        }
        if (!MergeKeys.TryGetValue(name, out var key) || !patch.All(p => p is JsonObject))
            return (JsonArray)patch.DeepClone();
        if (patch.Objects().Any(p => p.TextAt("$patch") is "replace"))
            return [.. patch.Objects().Where(p => p.TextAt("$patch") is null).Select(p => p.DeepClone())];
        foreach (var item in patch.Objects())
        {
            var wanted = item[key] ?? throw new KubernetesError(500, "", $"map: {Patches.GoText(item)} does not contain declared merge key: {key}");
            var existing = result.Objects().FirstOrDefault(r => Json.Same(r[key], wanted));
            if (item.TextAt("$patch") is "delete")
                result.Remove(existing);
            else if (existing is null)
                result.Add((JsonNode)Apply([], item));
            else if (Apply(existing, item) is var merged && !ReferenceEquals(merged, existing))
                result[result.IndexOf(existing)] = merged;
        }
        return result;
    }

    private static void Sort(string name, JsonArray list, JsonArray order)
    {
        MergeKeys.TryGetValue(name, out var key);
        JsonNode? KeyOf(JsonNode? item) => key is not null && item is JsonObject map ? map[key] : item;
        var ranks = order.Select(KeyOf).ToList();
        // Items the patch does not order keep their place behind those it does.
        var sorted = list.OrderBy(item => ranks.FindIndex(r => Json.Same(r, KeyOf(item))) is >= 0 and var at ? at : int.MaxValue).ToArray();
        list.Clear();
        foreach (var item in sorted)
            list.Add(item);
    }
}
