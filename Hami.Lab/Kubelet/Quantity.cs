using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>Amounts of resources as numbers that can be added up.</summary>
internal static class Quantity
{
    /// <summary>The amount; one beyond 64 bits counts as the largest there is, as with Kubernetes.</summary>
    public static decimal Of(ResourceQuantity quantity)
    {
        try
        {
            return Math.Clamp(quantity.ToDecimal(), long.MinValue, long.MaxValue);
        }
        catch (OverflowException)
        {
            return quantity.ToString().StartsWith('-') ? long.MinValue : long.MaxValue;
        }
    }

    /// <summary>The amount in whole units, rounded up.</summary>
    public static long Whole(decimal amount) => (long)Math.Clamp(Math.Ceiling(amount), long.MinValue, long.MaxValue);
}
