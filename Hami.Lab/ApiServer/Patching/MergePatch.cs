using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>RFC 7386: objects merge, null removes, everything else replaces.</summary>
internal static class MergePatch
{
    public static JsonObject Apply(JsonObject target, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            if (value is null)
                target.Remove(name);
            else if (value is JsonObject inner)
                Apply(target.Child(name), inner);
            else
                target[name] = value.DeepClone();
        }
        return target;
    }
}
