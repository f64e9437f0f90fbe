//! Products by their parts.

use footlight_ledger::Product;

/// A product's model and surface, where it has them.
pub(crate) const fn parts(product: Product) -> (Option<&'static str>, Option<&'static str>) {
    match product {
        Product::EssenceCloud => (Some("essence"), Some("cloud")),
        Product::EssenceSelfHosted => (Some("essence"), Some("self_hosted")),
        Product::ExpressionCloud => (Some("expression"), Some("cloud")),
        Product::ExpressionSelfHosted => (Some("expression"), Some("self_hosted")),
        Product::ExpressionOnDevice => (Some("expression"), Some("on_device")),
        Product::VoiceChat | Product::CameraChat | Product::AudioOnly => (None, None),
    }
}
